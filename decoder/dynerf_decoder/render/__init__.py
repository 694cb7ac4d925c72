"""Volume rendering: from a folded model, a camera and a space to a frame.

``frame`` renders a picture tile by tile; each tile uses ``fast`` or, when ``plain``, ``reference``, which
training uses too. Out: RGB and depth of a frame, or the colours and weights of rays. ``depth_colours`` gives
pictures of depth.

Imports: cameras, fields, scene.
"""
