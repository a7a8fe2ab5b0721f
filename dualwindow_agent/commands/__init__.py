"""The command ``dualwindow agent``, and the folder that it fills."""
