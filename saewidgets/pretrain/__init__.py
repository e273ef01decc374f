"""How everything bundled was made, to run again: tokenizer, language model, SAEs, and the measured clamps.

python -m saewidgets.pretrain model --out runs/model      # resumable; some 40 minutes on 2 cores
python -m saewidgets.pretrain saes  --out runs/saes       # on the bundled model
python -m saewidgets.pretrain clamps                      # which feature and multiple make it speak as each concept
python -m saewidgets.pretrain report                      # what all of it can do: docs/measured.md
python -m saewidgets.pretrain chat write --out runs/chat   # the SAEs of a real chat model: saewidgets/pretrain/chat
"""
