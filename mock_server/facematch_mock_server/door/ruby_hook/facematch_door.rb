# frozen_string_literal: true

require "socket"

# Sends this process's TCP connections to vendors' hosts to a door.
module FacematchDoor
  PORT = Integer(ENV.fetch("FACEMATCH_DOOR_PORT", "0"))
  HOSTS = ENV.fetch("FACEMATCH_DOOR_HOSTS", "").split(",").freeze
  AUTHORITY = ENV.fetch("FACEMATCH_DOOR_CA", "")

  def self.takes?(host)
    name = host.to_s.downcase.delete_suffix(".")
    PORT.positive? && (HOSTS.include?(name) || HOSTS.include?("*.#{name.partition('.').last}"))
  end

  # A client with a list of authorities of its own, as Stripe's, trusts the door's, too.
  module Trust
    def set_params(*)
      super.tap { cert_store&.add_file(AUTHORITY) }
    end
  end

  # Called before each connection, because only a program with TLS loads OpenSSL.
  def self.be_trusted
    OpenSSL::SSL::SSLContext.prepend(Trust) if PORT.positive? && defined?(OpenSSL::SSL::SSLContext)
  end

  # Of TCPSocket.new and TCPSocket.open.
  module Connections
    def initialize(host, port = nil, *rest, **options)
      FacematchDoor.be_trusted
      host, port = "127.0.0.1", PORT if FacematchDoor.takes?(host)
      super(host, port, *rest, **options)
    end
  end

  # Of Socket.tcp, by which Net::HTTP connects.
  module Addresses
    def getaddrinfo(host, port = nil, *rest, **options)
      FacematchDoor.be_trusted
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
