"""What runs on the far side of a boundary, beside the model's code.

These modules need nothing but the standard library and import nothing else of this package: their source text is
sent to where the code runs. Nothing in here protects anything: the code shares the interpreter with it. What it says
is checked on the host.
"""
