"""The exercises, one module per notebook: `EXERCISES` in each, with what is said of each kind of wrong answer."""
