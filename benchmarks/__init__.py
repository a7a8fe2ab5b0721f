"""Measurements that take minutes to hours; none of them is part of the program."""
