"""Labelled images, standardised and checked, for the classifiers of the swarm and of the laboratory.

load_images("digits")                            # comes with scikit-learn
load_images("cifar10", folder="~/cifar10")       # the hub's parquet files, without internet
"""

from btard.data.catalogue import known_images, load_images
from btard.data.images import Images

__all__ = ["Images", "known_images", "load_images"]
