"""Read pictures, fit them to a vendor's limits, and remove their metadata.

- A *header* has what is known without decoding: format, size, orientation (`containers`).
- A *clean* file has no metadata. JPEG, PNG and WebP are cleaned byte by byte (`containers`), others
  are decoded and encoded again (`imaging`, with Pillow).
- The *limits* are a vendor's. To *fit* a picture is to encode it within them (`imaging`).
- To *prepare* a picture is to clean it, and to fit it if it is not within the limits (`image`).
"""
