# Persona, in Ruby without gems: a right shop, or one with a mistake. `ruby shop.rb PORT MISTAKE`
require "json"
require "net/http"
require "openssl"
require "socket"

PORT, MISTAKE = ARGV
SECRET = ENV.fetch("PERSONA_WEBHOOK_SECRET")
CUSTOMERS = Hash.new { |all, name| all[name] = { state: "new", booked: 0 } }
LOCK = Monitor.new

def persona(method, path, body = nil)
  uri = URI("https://api.withpersona.com/api/v1#{path}")
  request = Net::HTTP.const_get(method).new(uri)
  request["Authorization"] = "Bearer #{ENV.fetch('PERSONA_API_KEY')}"
  request["Persona-Version"] = "2025-12-08"
  request["Content-Type"] = "application/json"
  request.body = body.to_json if body
  answer = Net::HTTP.start(uri.host, uri.port, use_ssl: true, read_timeout: 10) { |http| http.request(request) }
  raise "Persona answered #{answer.code}" unless answer.is_a?(Net::HTTPSuccess)
  JSON.parse(answer.body)
end

def note(name, status)
  customer = CUSTOMERS[name]
  if status == "approved"
    customer[:booked] = 1
    customer[:state] = "approved"
  else
    customer[:state] = { "declined" => "declined", "failed" => "declined", "expired" => "none" }.fetch(status, "open")
  end
end

def begin_for(name)
  LOCK.synchronize do
    customer = CUSTOMERS[name]
    return { state: "approved" } if customer[:state] == "approved"
    if customer[:inquiry]
      status = persona("Get", "/inquiries/#{customer[:inquiry]}")["data"]["attributes"]["status"]
      if %w[created pending].include?(status)
        link = persona("Post", "/inquiries/#{customer[:inquiry]}/generate-one-time-link")
        return { url: link["meta"]["one-time-link"], id: customer[:inquiry] }
      end
      note(name, status)
    end
    attributes = { "inquiry-template-id": "itmpl_mock", "reference-id": name }
    inquiry = persona("Post", "/inquiries", { data: { attributes: attributes } })["data"]["id"]
    customer[:inquiry] = inquiry
    customer[:state] = "open"
    { url: persona("Post", "/inquiries/#{inquiry}/generate-one-time-link")["meta"]["one-time-link"], id: inquiry }
  end
end

def receive(body, header)
  parts = (header || "").split(",").to_h { |part| part.split("=", 2) }
  expected = OpenSSL::HMAC.hexdigest("SHA256", SECRET, "#{parts['t']}.#{body}")
  return 401 unless MISTAKE == "verifies nothing" || OpenSSL.secure_compare(expected, parts["v1"].to_s)
  event = JSON.parse(body)["data"]["attributes"]
  inquiry = event["payload"]["data"]
  return 200 unless inquiry["type"] == "inquiry"
  status = inquiry["attributes"]["status"]
  # One read at a time: a slow one must not overwrite what a later one has found.
  LOCK.synchronize do
    unless ["the last event wins", "verifies nothing"].include?(MISTAKE)
      status = persona("Get", "/inquiries/#{inquiry['id']}")["data"]["attributes"]["status"]
    end
    name = inquiry["attributes"]["reference-id"]
    current = CUSTOMERS[name][:inquiry]
    # A late event of an earlier inquiry takes nothing back.
    note(name, status) if [nil, inquiry["id"]].include?(current) || status == "approved"
  end
  200
end

def serve(client)
  method, target, = client.gets.to_s.split
  headers = {}
  while (line = client.gets.to_s.strip) != ""
    name, value = line.split(": ", 2)
    headers[name.downcase] = value
  end
  body = client.read(headers["content-length"].to_i) || ""
  path, query = target.to_s.split("?")
  customer = URI.decode_www_form(query.to_s).to_h["customer"]
  status, answer = 200, {}
  begin
    case path
    when "/verify" then answer = begin_for(customer)
    when "/state" then answer = CUSTOMERS.key?(customer) ? CUSTOMERS[customer] : { state: "new" }
    else status = receive(body, headers["persona-signature"])
    end
  rescue StandardError => error
    warn error.full_message
    status = 503
  end
  text = answer.to_json
  client.write "HTTP/1.1 #{status} X\r\nContent-Length: #{text.bytesize}\r\nConnection: close\r\n\r\n#{text}"
ensure
  client.close
end

server = TCPServer.new("127.0.0.1", PORT.to_i)
loop { Thread.start(server.accept) { |client| serve(client) } }
