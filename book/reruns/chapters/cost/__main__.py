"""`python -m reruns.chapters.cost`, from book/."""

from reruns.chapters.cost import main

main()
