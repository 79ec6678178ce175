import os; open(os.environ["MARKERS"] + "/bar", "w")
