import os; open(os.environ["MARKERS"] + "/other", "w")
