"""The remote client: a clip at an http or https address as a ``Source``, fetched by range requests.

``address``  what an address may look like, and what messages call it
``wire``     one address, read by range requests that are all answered from one version of the file
``cache``    the bytes that are here
``plan``     which bytes a moment needs, and which to fetch ahead: pure functions of the directory
``fetcher``  wire and cache together: nothing is fetched twice, the wire is asked for gaps only
``source``   the synchronous ``Source`` for readers, with an event loop in a thread of its own
``ahead``    keeps fetching what the play head will need next
"""
