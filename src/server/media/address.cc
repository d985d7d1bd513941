// See the header.
#include "server/media/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace galago::server {
namespace {

constexpr size_t kIpv4At = 12;  // of an IPv4 address in sixteen bytes

/// The addresses that begin with these bits.
struct Block {
  std::array<uint8_t, 12> bytes;
  int bits;
};

constexpr Block kMapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
constexpr Block kNat64 = {{0, 0x64, 0xff, 0x9b}, 96};
constexpr Block kUnicast = {{0x20}, 3};

constexpr std::array<Block, 15> kSpecialIpv4 = {{
    {{0}, 8},              // this network
    {{10}, 8},             // private
    {{100, 64}, 10},       // shared: CGNAT
    {{127}, 8},            // loopback
    {{169, 254}, 16},      // link-local
    {{172, 16}, 12},       // private
    {{192, 0, 0}, 24},     // protocols
    {{192, 0, 2}, 24},     // documentation
    {{192, 88, 99}, 24},   // 6to4 relays
    {{192, 168}, 16},      // private
    {{198, 18}, 15},       // benchmarks
    {{198, 51, 100}, 24},  // documentation
    {{203, 0, 113}, 24},   // documentation
    {{224}, 4},            // multicast
    {{240}, 4},            // reserved, broadcast
}};

constexpr std::array<Block, 4> kSpecialUnicast = {{
    {{0x20, 0x01, 0x00}, 23},        // protocols, with Teredo, benchmarks and ORCHID
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x20, 0x02}, 16},              // 6to4
    {{0x3f, 0xff, 0x00}, 20},        // documentation
}};

bool within(std::span<const uint8_t> address, const Block& block) {
  const auto whole = static_cast<size_t>(block.bits / 8);
  if (!std::equal(block.bytes.begin(), block.bytes.begin() + whole, address.begin())) return false;
  const int rest = block.bits % 8;
  return rest == 0 || ((address[whole] ^ block.bytes.at(whole)) >> (8 - rest)) == 0;
}

bool is_public_ipv4(std::span<const uint8_t> address) {
  return std::none_of(kSpecialIpv4.begin(), kSpecialIpv4.end(),
                      [&](const Block& block) { return within(address, block); });
}

Address mapped(const in_addr& ipv4) {
  Address address{};
  std::copy(kMapped.bytes.begin(), kMapped.bytes.end(), address.begin());
  std::memcpy(address.data() + kIpv4At, &ipv4, sizeof ipv4);
  return address;
}

}  // namespace

std::optional<Address> address_of(const std::string& host) {
  in_addr ipv4{};
  if (::inet_pton(AF_INET, host.c_str(), &ipv4) == 1) return mapped(ipv4);
  Address address{};
  if (::inet_pton(AF_INET6, host.c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

std::optional<Address> address_of(const sockaddr& socket, socklen_t size) {
  if (socket.sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &socket, sizeof ipv4);
    return mapped(ipv4.sin_addr);
  }
  if (socket.sa_family != AF_INET6 || size < sizeof(sockaddr_in6)) return std::nullopt;
  sockaddr_in6 ipv6{};
  std::memcpy(&ipv6, &socket, sizeof ipv6);
  Address address{};
  std::memcpy(address.data(), &ipv6.sin6_addr, address.size());
  return address;
}

bool is_public(const Address& address) {
  if (within(address, kMapped) || within(address, kNat64))
    return is_public_ipv4(std::span(address).subspan(kIpv4At));
  return within(address, kUnicast) &&
         std::none_of(kSpecialUnicast.begin(), kSpecialUnicast.end(),
                      [&](const Block& block) { return within(address, block); });
}

}  // namespace galago::server
