"""What things are, and the contracts between the rooms.

Nothing is exported here on purpose: import the module that you need, so that the front door,
which needs little, loads little.
"""
