"""Look at a configuration, its files and the machine, and say what is wrong and how to mend it."""
