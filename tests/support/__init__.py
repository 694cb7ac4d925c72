"""What tests share: tiny captures and encodes, forged files, servers, proxies, browsers, a plain decoder."""
