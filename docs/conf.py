"""The site: ``make docs`` builds it into ``build/site``."""

import os
import re
import sys
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(ROOT), os.environ.get("PYTHONPATH", "")))
)
os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "scmc_comm"
author = copyright = "the scmc_comm authors"
release = version = re.search(
    r'__version__ = "(.+)"', (ROOT / "scmc_comm" / "__init__.py").read_text(encoding="utf-8")
)[1]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["results", "examples", "gallery/**.ipynb", "gallery/**.py"]
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "build" / "notebooks")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

sphinx_gallery_conf = {
    "examples_dirs": ["examples"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"measure\.py",
    "download_all_examples": False,
    "abort_on_example_error": True,
    "show_memory": False,
    "min_reported_time": 1e9,
    "reset_modules": (),
}

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"scmc_comm {release}"
html_static_path = []
templates_path = []
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True


LITERAL = re.compile(r"(``.+?``|`.+?`)")
MARK = re.compile(r"(?<![\\\w])[*|](?! )|(?<=\w)\|")


def plain_text(app, what, name, obj, options, lines):
    """Docstrings are plain text: of reST's marks only literals, names, lists and blocks count."""
    for i, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...", "*")):
            parts = LITERAL.split(line)
            parts[::2] = [MARK.sub(r"\\\g<0>", part) for part in parts[::2]]
            lines[i] = "".join(parts)


def link_cards(app, docname, source):
    """Model cards are outside of this folder, and one page of the site."""
    source[0] = re.sub(r"\]\(\.\./scmc_comm/zoo/cards/\w+\.md\)", "](model-cards.md)", source[0])


def inline_math(translator, node):
    """Equations are MathML, which browsers draw without a script or a network."""
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def display_math(translator, node):
    """As `inline_math`, on a line of its own."""
    translator.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
    app.connect("autodoc-process-docstring", plain_text, priority=400)
    app.connect("source-read", link_cards)
