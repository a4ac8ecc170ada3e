"""The first bytes of files become rows of HEADER: one door (parse.py), the compiled kernel, plain Python."""
