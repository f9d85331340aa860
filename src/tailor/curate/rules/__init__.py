"""What is wrong with data, one file a rule. `base.py` says what a rule is; `docs/rules.md` is made from these files."""
