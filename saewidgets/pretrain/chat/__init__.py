"""The SAEs of a real chat model: how they were made, to be made again. Every stage goes on where it was stopped.

python -m saewidgets.pretrain chat write       --out runs/chat             # the model writes 1.2 M tokens of text
python -m saewidgets.pretrain chat activations --out runs/chat --prose texts/  # and is read on them, and on prose
python -m saewidgets.pretrain chat saes        --out runs/chat             # a sweep on 1 M tokens each
python -m saewidgets.pretrain chat judge       --out runs/chat             # which of them steers best
python -m saewidgets.pretrain chat saes        --out runs/chat --only NAME --tokens 5000000
python -m saewidgets.pretrain chat figures     --out runs/chat --only NAME
python -m saewidgets.pretrain chat bend        --out runs/chat --sae NAME  # an objective that looks downstream
python -m saewidgets.pretrain chat choose      --out runs/chat --sae NAME  # what makes the model speak as each subject
python -m saewidgets.pretrain chat report      --out runs/chat --sae NAME  # with fresh seeds, beside controls
python -m saewidgets.pretrain chat bundle      --out runs/chat --sae NAME --clamps clamps.json --docs docs/measured.md
python -m saewidgets.pretrain chat pack        --out runs/chat --sae NAME --clamps clamps.json  # into the package
"""
