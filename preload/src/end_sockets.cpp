// SPDX-License-Identifier: Apache-2.0
#include <particle_bind/sockets.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <unordered_set>
#include <vector>

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include "src/guard.hpp"

namespace particle::bind {
namespace {

// Newer than the headers of some: SOCK_DESTROY of <linux/sock_diag.h>.
constexpr std::uint16_t kDestroy = 21;
/// Sockets that share an address and a port are found one at a time.
constexpr int kMostRounds = 64;

struct Close {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
using Socket = std::unique_ptr<mnl_socket, Close>;
using Buffer = std::array<char, 32768>;

inet_diag_req_v2 request_for(int family, int protocol) {
  inet_diag_req_v2 request = {};
  request.sdiag_family = static_cast<__u8>(family);
  request.sdiag_protocol = static_cast<__u8>(protocol);
  request.idiag_states = ~0U;
  return request;
}

Result<void> send(mnl_socket* socket, std::uint16_t type, int flags,
                  const inet_diag_req_v2& request) {
  std::array<char, 256> bytes{};
  nlmsghdr* header = mnl_nlmsg_put_header(bytes.data());
  header->nlmsg_type = type;
  header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  std::memcpy(mnl_nlmsg_put_extra_header(header, sizeof(request)), &request, sizeof(request));
  if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0) {
    return fail(Error::from_errno(errno, "ask for the namespace's sockets"));
  }
  return {};
}

/// Endpoints' addresses, loopback aliases included.
struct Addresses {
  std::unordered_set<unsigned> v4;  // in network byte order
  std::set<std::array<unsigned, 4>> v6;

  void add(const pb_endpoint& endpoint) {
    v4.insert(endpoint.alias4);
    if (endpoint.v4 != 0) {
      v4.insert(endpoint.v4);
    }
    if (pb_has_v6(&endpoint) != 0) {
      v6.insert({endpoint.v6[0], endpoint.v6[1], endpoint.v6[2], endpoint.v6[3]});
    }
  }
};

/// One namespace's sockets at endpoints' addresses.
class Search {
 public:
  Search(mnl_socket* socket, const Addresses& addresses) : socket_(socket), addresses_(addresses) {}

  /// Ends those of one family and protocol, as often as there are any left that can be ended.
  Result<std::size_t> end_all(int family, int protocol) {
    std::size_t ended = 0;
    for (int round = 0; round < kMostRounds; ++round) {
      if (auto ok = list(family, protocol); !ok) {
        return fail(ok.error());
      }
      std::size_t now = 0;
      for (const inet_diag_msg& one : found_) {
        const Result<bool> gone = end(one, protocol);
        if (!gone) {
          return fail(gone.error());
        }
        now += *gone ? 1U : 0U;
      }
      ended += now;
      if (now == 0 || now == found_.size()) {
        break;
      }
    }
    return ended;
  }

 private:
  static int keep(const nlmsghdr* header, void* search) {
    auto* self = static_cast<Search*>(search);
    inet_diag_msg message = {};
    if (mnl_nlmsg_get_payload_len(header) >= sizeof(message)) {
      std::memcpy(&message, mnl_nlmsg_get_payload(header), sizeof(message));
      if (self->is_ours(message)) {
        self->found_.push_back(message);
      }
    }
    return MNL_CB_OK;
  }

  [[nodiscard]] bool is_ours(const inet_diag_msg& message) const {
    const auto& source = message.id.idiag_src;
    const bool mapped = message.idiag_family == AF_INET6 && pb_is_mapped(source) != 0;
    if (message.idiag_family == AF_INET || mapped) {
      const unsigned v4 = mapped ? source[3] : source[0];
      return v4 != 0 && addresses_.v4.contains(v4);
    }
    return addresses_.v6.contains({source[0], source[1], source[2], source[3]});
  }

  Result<void> list(int family, int protocol) {
    found_.clear();
    if (auto ok = send(socket_, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, request_for(family, protocol));
        !ok) {
      return ok;
    }
    Buffer buffer;
    for (;;) {
      const ssize_t size = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
      const int more =
          size < 0 ? MNL_CB_ERROR
                   : mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), 0, 0, keep, this);
      if (more == MNL_CB_ERROR) {
        // ENOENT: no such family or protocol in this kernel.
        return errno == ENOENT ? Result<void>{}
                               : fail(Error::from_errno(errno, "list the namespace's sockets"));
      }
      if (more == MNL_CB_STOP) {
        return {};
      }
    }
  }

  /// False when it was gone already, or hides behind another one of the same name.
  Result<bool> end(const inet_diag_msg& one, int protocol) {
    inet_diag_req_v2 request = request_for(one.idiag_family, protocol);
    request.id = one.id;
    if (auto ok = send(socket_, kDestroy, NLM_F_ACK, request); !ok) {
      return fail(ok.error());
    }
    Buffer buffer;
    const ssize_t size = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
    if (size < 0 || mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), 0, 0, nullptr,
                               nullptr) == MNL_CB_ERROR) {
      if (errno == ENOENT) {
        return false;
      }
      return fail(Error::from_errno(errno, "end a socket of an endpoint",
                                    "the kernel needs CONFIG_INET_DIAG_DESTROY"));
    }
    return true;
  }

  mnl_socket* socket_;
  const Addresses& addresses_;
  std::vector<inet_diag_msg> found_;
};

Result<std::size_t> end_sockets_here(const Addresses& addresses) {
  const Socket socket(mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC));
  if (socket == nullptr) {
    return fail(Error::from_errno(errno, "open sock_diag"));
  }
  Search search(socket.get(), addresses);
  std::size_t ended = 0;
  for (const int protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
    for (const int family : {AF_INET, AF_INET6}) {
      const Result<std::size_t> some = search.end_all(family, protocol);
      if (!some) {
        return fail(some.error());
      }
      ended += *some;
    }
  }
  return ended;
}

}  // namespace

Result<std::size_t> end_sockets(const NetNs& netns, const Endpoint& endpoint) {
  return end_sockets(netns, std::vector<Endpoint>{endpoint});
}

Result<std::size_t> end_sockets(const NetNs& netns, const std::vector<Endpoint>& endpoints) {
  Addresses addresses;
  for (const Endpoint& endpoint : endpoints) {
    EnforceSpec spec;
    spec.lease.endpoint = endpoint;
    const Result<pb_endpoint> one = to_policy(spec);
    if (!one) {
      return fail(one.error());
    }
    addresses.add(*one);
  }
  Result<std::size_t> ended = std::size_t{0};
  // A thread of its own may change its namespace, and need not find the way back.
  std::thread([&] {
    if (::setns(netns.fd(), CLONE_NEWNET) != 0) {
      ended = fail(Error::from_errno(errno, "enter the endpoint's namespace"));
    } else {
      ended = end_sockets_here(addresses);
    }
  }).join();
  return ended;
}

}  // namespace particle::bind
