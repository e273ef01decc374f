"""The SAEs of a real chat model: what was done, to be done again. `python -m saewidgets.pretrain chat <stage>`."""
