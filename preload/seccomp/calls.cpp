// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/events.h"
#include "common/sockets.h"
#include "seccomp/call.hpp"
#include "seccomp/target.hpp"
#include "src/guard.hpp"

// Every path of a call ends by answering it: `return refuse(...)` says so.
// NOLINTBEGIN(readability-avoid-return-with-void-value)

namespace particle::bind {
namespace {

constexpr std::size_t kMaxDatagram = 65536;
class Call {
 public:
  Call(const CallContext& context, const seccomp_notif& notification, Colleagues& colleagues)
      : context_(context), who_(notification), colleagues_(colleagues) {}

  void answer();

 private:
  [[nodiscard]] pid_t thread() const { return static_cast<pid_t>(who_.pid); }
  [[nodiscard]] std::uint64_t argument(int i) const { return who_.data.args[i]; }
  [[nodiscard]] int int_argument(int i) const { return static_cast<int>(argument(i)); }
  [[nodiscard]] const pb_endpoint& endpoint() const { return context_.endpoint; }

  void respond(std::int64_t value, int error, std::uint32_t flags = 0);
  void succeed(std::int64_t value = 0) { respond(value, 0); }
  void refuse(int error) { respond(0, error); }
  /// Lets the kernel do the call itself. Only where nothing that the program could still change was
  /// judged, or where the change could not matter.
  void let_pass() { respond(0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE); }
  void log(unsigned operation, const pb_verdict& verdict, const pb_name& name) const;

  /// Duplicates the socket and checks that the caller is still who it was. Answers when it fails.
  bool open_socket();
  bool copy_name(int address, int size);

  void on_socket();
  void on_bind();
  void on_connect();
  void on_listen();
  void on_sendto();
  void on_name(bool peer);

  int bind_as_target(const pb_name& name) const;
  bool choose_way(unsigned operation, pb_name& name);
  void connect_to(const pb_name& name);

  const CallContext& context_;
  const seccomp_notif& who_;
  Colleagues& colleagues_;
  UniqueFd socket_;
  pb_facts facts_ = {};
  pb_name name_ = {};
};

void Call::respond(std::int64_t value, int error, std::uint32_t flags) {
  // First: a program that closes its socket at once has closed the last one, and its port is free.
  socket_.reset();
  respond_to(context_.listener.get(), who_.id, value, error, flags);
}

void Call::log(unsigned operation, const pb_verdict& verdict, const pb_name& name) const {
  if (endpoint().mode != PB_AUDIT || verdict.row == PB_ROW_NONE || verdict.row == PB_ROW_BIND_OWN) {
    return;
  }
  unsigned address[4] = {};
  const bool v6 = name.at.any.sa_family == AF_INET6;
  if (v6) {
    std::memcpy(address, &name.at.v6.sin6_addr, sizeof(address));
  } else {
    address[0] = name.at.v4.sin_addr.s_addr;
  }
  context_.log(describe(operation, verdict.row, v6 ? AF_INET6 : AF_INET, address,
                        name.at.v4.sin_port, who_.pid, "process"));
}

bool Call::open_socket() {
  socket_ = duplicate_of(thread(), int_argument(0));
  if (!socket_.valid()) {
    refuse(errno == ESRCH ? EBADF : errno);
    return false;
  }
  if (!still_waits(context_.listener.get(), who_.id)) {
    return false;  // the pid may be another's: nothing to answer either
  }
  if (const int error = pb_read_facts(socket_.get(), &facts_); error != 0) {
    refuse(error);
    return false;
  }
  return true;
}

bool Call::copy_name(int address, int size) {
  const auto length = static_cast<std::uint32_t>(argument(size));
  if (length > sizeof(name_.at)) {
    refuse(EINVAL);
    return false;
  }
  name_.size = static_cast<socklen_t>(length);
  if (!read_memory(thread(), argument(address), &name_.at, length)) {
    refuse(EFAULT);
    return false;
  }
  return true;
}

/// A port below ip_unprivileged_port_start, and any name in the file system, is the caller's to take or
/// not: the kernel judges the thread that binds, so it gets the caller's rights for that moment.
int Call::bind_as_target(const pb_name& name) const {
  const bool inet = pb_is_inet(&facts_) != 0;
  const unsigned port = ntohs(name.at.v4.sin_port);  // at the same place in both families
  if (inet && (port == 0 || port >= IPPORT_RESERVED)) {
    return ::bind(socket_.get(), &name.at.any, name.size) == 0 ? 0 : errno;
  }
  const std::optional<Rights> rights = rights_of(thread());
  if (!rights || !still_waits(context_.listener.get(), who_.id)) {
    return EACCES;
  }
  const Impersonation as(thread(), *rights, facts_.domain == AF_UNIX);
  if (!as.complete()) {
    return EACCES;
  }
  return ::bind(socket_.get(), &name.at.any, name.size) == 0 ? 0 : errno;
}

void Call::on_bind() {
  if (!open_socket() || !copy_name(1, 2)) {
    return;
  }
  pb_name name = name_;
  if (pb_is_inet(&facts_) != 0) {
    pb_verdict verdict = {};
    const int refused = pb_judge_bind(&endpoint(), &facts_, &name, &verdict);
    log(PB_OP_BIND, verdict, name_);
    if (refused != 0) {
      return refuse(refused);
    }
  }
  const int error = bind_as_target(name);
  error != 0 ? refuse(error) : succeed();
}

/// Where a connect or a datagram goes and comes from. Answers when it may not.
bool Call::choose_way(unsigned operation, pb_name& name) {
  pb_verdict to = {};
  pb_verdict from = {};
  int to_loopback = 0;
  if (pb_family(&name) == 0) {
    return true;
  }
  int error = pb_judge_destination(&endpoint(), socket_.get(), &name, &to_loopback, &to);
  log(operation, to, name_);
  if (error == 0) {
    error = pb_prepare_source(&endpoint(), socket_.get(), &name, to_loopback, &from);
    log(operation, from, name_);
  }
  if (error != 0) {
    refuse(error);
  }
  return error == 0;
}

/// A blocking connect may wait for the network: the others' calls are not to wait with it.
void Call::connect_to(const pb_name& name) {
  const bool waits =
      facts_.type == SOCK_STREAM && (::fcntl(socket_.get(), F_GETFL) & O_NONBLOCK) == 0;
  if (waits && !colleagues_.leave()) {
    return refuse(EAGAIN);
  }
  ::connect(socket_.get(), &name.at.any, name.size) == 0 ? succeed() : refuse(errno);
  if (waits) {
    colleagues_.come_back();
  }
}

void Call::on_connect() {
  if (!open_socket()) {
    return;
  }
  if (pb_is_inet(&facts_) == 0) {
    // A path or an abstract name: the peer must see the caller's credentials, not ours. Should another
    // thread put an IP socket in this one's place meanwhile, that one is bound to the endpoint already.
    return let_pass();
  }
  if (!copy_name(1, 2)) {
    return;
  }
  pb_name name = name_;
  if (!choose_way(PB_OP_CONNECT, name)) {
    return;
  }
  connect_to(name);
}

void Call::on_listen() {
  if (!open_socket()) {
    return;
  }
  pb_name bound = {};
  bound.size = sizeof(bound.at);
  if (pb_is_inet(&facts_) != 0 && facts_.type == SOCK_STREAM &&
      ::getsockname(socket_.get(), &bound.at.any, &bound.size) == 0 && bound.at.v4.sin_port == 0) {
    pb_name name = {};
    name.size = facts_.domain == AF_INET ? sizeof(name.at.v4) : sizeof(name.at.v6);
    name.at.any.sa_family = static_cast<sa_family_t>(facts_.domain);
    pb_verdict verdict = {};
    const int refused = pb_judge_bind(&endpoint(), &facts_, &name, &verdict);
    verdict.row = PB_ROW_LISTEN_UNBOUND;
    log(PB_OP_LISTEN, verdict, bound);
    if (refused != 0) {
      return refuse(refused);
    }
    // Another thread may have bound it by now (EINVAL): then that was judged.
    if (verdict.action == PB_CHANGE && ::bind(socket_.get(), &name.at.any, name.size) != 0 &&
        errno != EINVAL) {
      return refuse(errno);
    }
  }
  ::listen(socket_.get(), int_argument(1)) == 0 ? succeed() : refuse(errno);
}

void Call::on_sendto() {
  if (!open_socket()) {
    return;
  }
  if (pb_is_inet(&facts_) == 0 || facts_.type != SOCK_DGRAM) {
    // On a stream the address is ignored, but for a connect in disguise.
    return (int_argument(3) & MSG_FASTOPEN) != 0 ? refuse(EOPNOTSUPP) : let_pass();
  }
  if (!copy_name(4, 5)) {
    return;
  }
  const std::size_t size = argument(2);
  if (size > kMaxDatagram) {
    return refuse(EMSGSIZE);
  }
  std::vector<char> bytes(size);
  if (!read_memory(thread(), argument(1), bytes.data(), size)) {
    return refuse(EFAULT);
  }
  pb_name name = name_;
  if (!choose_way(PB_OP_SEND, name)) {
    return;
  }
  const ssize_t sent = ::sendto(socket_.get(), bytes.data(), size, int_argument(3) | MSG_NOSIGNAL,
                                &name.at.any, name.size);
  sent < 0 ? refuse(errno) : succeed(sent);
}

void Call::on_name(bool peer) {
  if (!open_socket()) {
    return;
  }
  pb_name name = {};
  name.size = sizeof(name.at);
  socklen_t room = 0;
  const auto get = peer ? &::getpeername : &::getsockname;
  if (get(socket_.get(), &name.at.any, &name.size) != 0) {
    return refuse(errno);
  }
  pb_show(&endpoint(), &name);
  if (!read_memory(thread(), argument(2), &room, sizeof(room)) ||
      !write_memory(thread(), argument(1), &name.at, std::min(room, name.size)) ||
      !write_memory(thread(), argument(2), &name.size, sizeof(name.size))) {
    return refuse(EFAULT);
  }
  succeed();
}

/// Makes the socket for the caller and binds it to the endpoint's address, without a port: whatever it
/// does before its own bind(2), listen() and sendmsg() included, comes from there.
void Call::on_socket() {
  const int domain = int_argument(0);
  const int type = int_argument(1);
  const int protocol = int_argument(2);
  const int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
  pb_verdict verdict = {};
  pb_create(&endpoint(), static_cast<unsigned>(domain), static_cast<unsigned>(kind),
            static_cast<unsigned>(protocol), &verdict);
  if (verdict.action == PB_REFUSE) {
    return refuse(static_cast<int>(verdict.error));
  }
  if ((kind != SOCK_STREAM && kind != SOCK_DGRAM) || endpoint().mode != PB_REWRITE) {
    return let_pass();  // by numbers alone, which nobody can change any more
  }
  UniqueFd made(::socket(domain, type | SOCK_CLOEXEC, protocol));
  if (!made.valid()) {
    return refuse(errno);
  }
  if (const int error = pb_prebind(&endpoint(), made.get(), domain); error != 0) {
    return refuse(error);
  }
  seccomp_notif_addfd add = {};
  add.id = who_.id;
  add.srcfd = static_cast<std::uint32_t>(made.get());
  add.newfd_flags = (type & SOCK_CLOEXEC) != 0 ? O_CLOEXEC : 0;
  const int number = ::ioctl(context_.listener.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &add);
  if (number < 0) {
    return refuse(errno);
  }
  made.reset();  // before the answer, as in respond()
  succeed(number);
}

void Call::answer() {
  // Of i386 the same deeds have other numbers; those of x32 are in no row of this table.
  if (who_.data.arch != seccomp_arch_native()) {
    return refuse(ENOSYS);
  }
  switch (who_.data.nr) {
    case SYS_socket:
      return on_socket();
    case SYS_bind:
      return on_bind();
    case SYS_connect:
      return on_connect();
    case SYS_listen:
      return on_listen();
    case SYS_sendto:
      return on_sendto();
    case SYS_getsockname:
      return on_name(false);
    case SYS_getpeername:
      return on_name(true);
    default:
      return refuse(ENOSYS);
  }
}

}  // namespace

void respond_to(int listener, std::uint64_t id, std::int64_t value, int error,
                std::uint32_t flags) {
  seccomp_notif_resp response = {};
  response.id = id;
  response.val = value;
  response.error = -error;
  response.flags = flags;
  ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

void answer(const CallContext& context, const seccomp_notif& notification, Colleagues& colleagues) {
  Call(context, notification, colleagues).answer();
}

}  // namespace particle::bind

// NOLINTEND(readability-avoid-return-with-void-value)
