"""Decision science: arrays in, arrays out. README.md in this folder says the rule."""
