// Internet addresses: which are of the public internet, and which of this machine, its network or nobody.
// Reference: IANA's IPv4 and IPv6 special-purpose address registries (RFC 6890 and what updates it).
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace galago::server {

/// Sixteen bytes in network order; of IPv4 the mapped form, ::ffff:a.b.c.d.
using Address = std::array<uint8_t, 16>;

/// The address that a host's text is, "127.0.0.1" or "::1" (no brackets, no zone); nothing for a name.
std::optional<Address> address_of(const std::string& host);
/// That of a socket; nothing for another family than IPv4 and IPv6.
std::optional<Address> address_of(const sockaddr& socket, socklen_t size);

/// Whether it is one host of the public internet: not loopback, private, link-local, shared (CGNAT),
/// multicast, unspecified, for benchmarks, documentation or protocols, nor a form that leads to such an IPv4
/// address (mapped, NAT64) or to any (6to4, Teredo).
bool is_public(const Address& address);

}  // namespace galago::server
