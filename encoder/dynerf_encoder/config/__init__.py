"""All settings of an encode: their schema, the presets, and changes by name.

In: the name of a preset, ``section.key=value`` assignments, TOML files. Out: a frozen ``Config`` with every
value set; errors name the setting and what was expected. Help texts and units of the settings are in the
schema.
Imports: nothing of this package.
"""
