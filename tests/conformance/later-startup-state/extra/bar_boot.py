import os
def go():
    open(os.environ["MARKERS"] + "/start", "w")
