"""What is played in a world: services brought up, releases driven, recovery and a move shown, claims checked.

`driver` is how scenes and tests act on the deployed control plane; `bring_up` gives a world running services; each
other module is one scene, or what several of them need beside the world.
"""
