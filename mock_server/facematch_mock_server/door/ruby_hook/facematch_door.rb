# frozen_string_literal: true

require "socket"

# Sends this process's TCP connections to vendors' hosts to a door.
module FacematchDoor
  PORT = Integer(ENV.fetch("FACEMATCH_DOOR_PORT", "0"))
  HOSTS = ENV.fetch("FACEMATCH_DOOR_HOSTS", "").split(",").freeze

  def self.takes?(host)
    name = host.to_s.downcase.delete_suffix(".")
    PORT.positive? && (HOSTS.include?(name) || HOSTS.include?("*.#{name.partition('.').last}"))
  end

  # Of TCPSocket.new and TCPSocket.open.
  module Connections
    def initialize(host, port = nil, *rest, **options)
      host, port = "127.0.0.1", PORT if FacematchDoor.takes?(host)
      super(host, port, *rest, **options)
    end
  end

  # Of Socket.tcp, by which Net::HTTP connects.
  module Addresses
    def getaddrinfo(host, port = nil, *rest, **options)
      host, port = "127.0.0.1", PORT if FacematchDoor.takes?(host)
      super(host, port, *rest, **options)
    end
  end

  # URI#find_proxy asks for the address before it reads NO_PROXY, and needs none.
  module Lookups
    def getaddress(host)
      raise SocketError, "the door has no address of #{host}" if FacematchDoor.takes?(host)

      super
    end
  end

  TCPSocket.prepend(Connections)
  Addrinfo.singleton_class.prepend(Addresses)
  IPSocket.singleton_class.prepend(Lookups)
end
