// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cerrno>

#include <sys/socket.h>

#include <particle_bind/agent.hpp>

namespace particle::bind {
namespace {

constexpr unsigned kAddressArgument = 4;  // sendto(fd, buffer, length, flags, ADDRESS, size)
constexpr std::array kDecided = {"bind", "connect", "listen", "getsockname", "getpeername"};
/// Families that carry IP of their own making, past everything that is decided here.
constexpr std::array kOtherFamilies = {AF_RDS, AF_PPPOX, AF_TIPC, AF_RXRPC, AF_KCM, AF_SMC, AF_XDP};
/// They make, bind and connect sockets without a system call of their own.
constexpr std::array kRing = {"io_uring_setup", "io_uring_enter", "io_uring_register"};

CallRule socket_rule(int family, CallRule::Fate fate, int error) {
  return {"socket", fate, error,
          ArgumentTest{0, ArgumentTest::Kind::equal, static_cast<std::uint64_t>(family)}};
}

}  // namespace

std::vector<CallRule> rules_for_endpoint(bool allow_raw) {
  using Fate = CallRule::Fate;
  using Kind = ArgumentTest::Kind;
  std::vector<CallRule> rules;
  for (const char* call : kDecided) {
    rules.push_back({call, Fate::ask});
  }
  rules.push_back(socket_rule(AF_INET, Fate::ask, 0));
  rules.push_back(socket_rule(AF_INET6, Fate::ask, 0));
  if (!allow_raw) {
    rules.push_back(socket_rule(AF_PACKET, Fate::refuse, EPERM));
  }
  for (const int family : kOtherFamilies) {
    rules.push_back(socket_rule(family, Fate::refuse, EAFNOSUPPORT));
  }
  rules.push_back({"sendto", Fate::ask, 0, ArgumentTest{kAddressArgument, Kind::differs, 0}});
  // A connect in disguise, whose address the filter cannot read.
  rules.push_back(
      {"sendmsg", Fate::refuse, EOPNOTSUPP, ArgumentTest{2, Kind::has_bits, MSG_FASTOPEN}});
  rules.push_back(
      {"sendmmsg", Fate::refuse, EOPNOTSUPP, ArgumentTest{3, Kind::has_bits, MSG_FASTOPEN}});
  for (const char* call : kRing) {
    rules.push_back({call, Fate::refuse, ENOSYS});
  }
  return rules;
}

}  // namespace particle::bind
