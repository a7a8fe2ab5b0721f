"""Build in what lies beside the packages: freqtrade's adapters, and the configuration examples.

They become packages where they are: pyproject.toml can rename folders only if it also lists every
package by hand. All else is in pyproject.toml. People keep strategies and configurations of their
own in these folders, so nothing but what is named here is built in.
"""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

SHIPPED = {
    "dualwindow_shipped.config": "config",
    "dualwindow_shipped.config.presets": "config/presets",
    "dualwindow_shipped.freqaimodels": "freqaimodels",
    "dualwindow_shipped.strategies": "strategies",
}
MODULES = {"DualWindowAgent", "DualWindowLSTM", "DualWindowIndicators", "DualWindowStrategy"}
EXAMPLES = {
    "dualwindow_shipped.config": ["agent", "base", "example", "futures", "live", "spot"],
    "dualwindow_shipped.config.presets": ["production", "published", "quick", "standard", "test"],
}


class OnlyOurs(build_py):
    """Leave out the modules of others."""

    def find_package_modules(self, package, package_dir):
        """List the modules of a package: its name, theirs and their files."""
        found = super().find_package_modules(package, package_dir)
        return [each for each in found if package not in SHIPPED or each[1] in MODULES]


setup(
    packages=[*find_packages(include=["dualwindow", "dualwindow.*", "dualwindow_*"]), *SHIPPED],
    package_dir=SHIPPED,
    package_data={
        "dualwindow": ["py.typed", "reports/template/*"],
        **{name: [f"{file}.json" for file in files] for name, files in EXAMPLES.items()},
    },
    cmdclass={"build_py": OnlyOurs},
)
