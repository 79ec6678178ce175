"""Try a thousand times, and mind no refusal."""

import aim

last = None
for _ in range(1000):
    try:
        aim.steal()
        break
    except OSError as error:
        last = error
print(f"{type(last).__name__}: {last}")
