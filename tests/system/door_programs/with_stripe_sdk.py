import stripe

client = stripe.StripeClient("sk_test_of-the-program")
sessions = client.v1.identity.verification_sessions
session = sessions.create({"type": "document"})
print("session", session.status, sessions.retrieve(session.id).livemode)
