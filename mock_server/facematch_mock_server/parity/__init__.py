"""`facematch parity`: compare a recording of a vendor with the mock.

- An *exchange* is a recorded request with the vendor's reply.
- A *replay* sends the requests of a recording to a fresh mock, in order, with the mock's own ids in
  place of the recording's stand-ins.
- What a picture shows is not in a recording. A *guess* gives each picture a card. There is a replay
  for each guess; of an exchange, the answer with the fewest differences counts.
- An *aspect* is a fact about an answer that does not differ from call to call.
"""
