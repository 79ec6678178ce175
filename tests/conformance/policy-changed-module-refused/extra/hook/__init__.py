import os; open(os.environ["MARKERS"] + "/foo", "w")
