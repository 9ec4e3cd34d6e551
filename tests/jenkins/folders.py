"""A folder's views are part of its config.xml: who makes one saves the folder, who sends the folder resets them.

From the sources of the plugin cloudbees-folder (AbstractFolder.init, DefaultFolderViewHolder), not recorded: in
what Jenkins Job Builder writes of a folder there are no views, so that updating it takes away those that were made.
"""

from __future__ import annotations

from lxml import etree

from tests.jenkins.rewriting import parse, resaved
from tests.jenkins.shapes import FOLDER
from tests.jenkins.state import Item, View, stored_view

EVERYTHING = "hudson.model.AllView"
PRIMARY = f"folderViews/views/{EVERYTHING}"
"""Where a folder's config.xml has the view that the folder shows first."""


def save_views(folder: Item) -> None:
    """Write the folder's views into its config.xml; the root's are kept elsewhere."""
    if folder.parent is None:
        return
    root = parse(resaved(folder.xml))
    for holder in root.iterfind("folderViews/views"):
        holder[:] = [element for element in holder if element.findtext("name") == folder.own_view]
        for view in folder.views.values():
            element = parse(view.xml)
            element.insert(0, etree.Element("owner", {"class": FOLDER, "reference": "../../../.."}))
            holder.append(element)
    folder.write(resaved(etree.tostring(root, encoding="unicode")))


def load_views(folder: Item) -> None:
    """Take the folder's views from its config.xml."""
    folder.views = {}
    for element in parse(folder.xml).iterfind("folderViews/views/*"):
        owner, name = element.find("owner"), element.findtext("name")
        if (element.tag == EVERYTHING and name == folder.own_view) or not name:
            continue
        if owner is not None:
            element.remove(owner)
        folder.views[name] = View(name, folder, stored_view(etree.tostring(element, encoding="unicode"), name))
