"""Put thin files into a user directory of freqtrade, and take them away again."""


class InstallError(Exception):
    """Nothing was put in or taken away, for a reason that a person can mend."""
