"""Write where something will run it, or believe it, later."""

import aim

with open(aim.PLACES["persistent"][aim.VARIANT], "a") as file:
    file.write(f"# {aim.TOKEN}\n")
