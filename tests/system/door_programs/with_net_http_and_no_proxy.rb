require "json"
require "net/http"

http = Net::HTTP.new("production.deepvue.tech", 443, nil)
http.use_ssl = true
login = "client_id=client-of-the-program&client_secret=secret-of-the-program"
answer = http.post("/v1/authorize", login, "Content-Type" => "application/x-www-form-urlencoded")
puts "token #{JSON.parse(answer.body).key?('access_token')}"
