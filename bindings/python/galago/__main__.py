"""python -m galago: the command line program."""

from ._program import main

main()
