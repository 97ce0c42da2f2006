require "json"
require "net/http"
require "openssl"

# As Stripe's client: its list of authorities takes the place of those of SSL_CERT_FILE.
http = Net::HTTP.new("production.deepvue.tech", 443)
http.use_ssl = true
http.cert_store = OpenSSL::X509::Store.new
login = "client_id=client-of-the-program&client_secret=secret-of-the-program"
headers = { "Content-Type" => "application/x-www-form-urlencoded" }
answers = Array.new(2) { JSON.parse(http.post("/v1/authorize", login, headers).body) }
puts "token #{answers.all? { |answer| answer.key?('access_token') }}"
