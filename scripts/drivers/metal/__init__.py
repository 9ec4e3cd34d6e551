"""The driver metal: nodes are bare machines of the lab, restored by network boot."""
