"""Build in what lies beside the packages: freqtrade's adapters, and the configuration examples.

They become packages where they are: pyproject.toml can rename folders only if it also lists every
package by hand. All else is in pyproject.toml.
"""

from setuptools import find_packages, setup

SHIPPED = {
    "dualwindow_shipped.config": "config",
    "dualwindow_shipped.config.presets": "config/presets",
    "dualwindow_shipped.freqaimodels": "freqaimodels",
    "dualwindow_shipped.strategies": "strategies",
}
EXAMPLES = [name for name in SHIPPED if name.startswith("dualwindow_shipped.config")]

setup(
    packages=[*find_packages(include=["dualwindow", "dualwindow.*", "dualwindow_*"]), *SHIPPED],
    package_dir=SHIPPED,
    # Of strategies nothing but Python: hyperopt writes what it finds beside them.
    package_data={
        "dualwindow": ["py.typed", "reports/template/*"],
        **{name: ["*.json"] for name in EXAMPLES},
    },
)
