/**
 * Identifies the content of an address: its size and its validators (RFC 9110 section 8.8), as far as a page may read
 * them. Of another origin's headers, ETag and Content-Range must be exposed; Last-Modified always is.
 */
export class Version {
  /** `size` is null where it is not known. */
  constructor(size, headers) {
    this.size = size;
    this.etag = headers.get("ETag");
    this.modified = headers.get("Last-Modified");
  }

  /** The ETag where equal ETags mean equal bytes, else null. */
  get strong() {
    return this.etag === null || this.etag.startsWith("W/") ? null : this.etag;
  }

  /** False when the sizes differ, or the ETags, or Last-Modified when an ETag is missing. */
  matches(other) {
    if (this.size !== null && other.size !== null && this.size !== other.size) return false;
    // The ETag decides alone: servers behind one address may differ in Last-Modified.
    if (this.etag !== null && other.etag !== null) return this.etag === other.etag;
    return this.modified === null || other.modified === null || this.modified === other.modified;
  }
}
