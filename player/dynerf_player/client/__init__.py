"""The remote client: a clip at an http or https address as a ``Source``, fetched by range requests.

In: an address. Out: bytes, always of the version that was opened (``source``); a clip for asynchronous
programs (``async_clip``). ``address`` checks addresses, ``range_client`` sends range requests, ``cache``
keeps bytes, ``fetcher`` requests only what the cache lacks, ``fetch_planner`` lists the chunks that a moment
needs, and ``prefetch`` reads ahead of the play head.

Imports: nothing of this package.
"""
