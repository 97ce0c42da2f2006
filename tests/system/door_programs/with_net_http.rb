require "json"
require "net/http"

uri = URI("https://production.deepvue.tech/v1/authorize")
login = { "client_id" => "client-of-the-program", "client_secret" => "secret-of-the-program" }
answer = Net::HTTP.post_form(uri, login)
puts "token #{JSON.parse(answer.body).key?('access_token')}"
