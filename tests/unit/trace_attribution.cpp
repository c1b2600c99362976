// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <sstream>

#include "trace/symbols.hpp"
#include "trace/trace.hpp"

using namespace particle::trace;

namespace {

using Frames = std::vector<std::string>;

Entry entry(Kind kind, Frames frames, double ms = 1) {
  return {"ip", "S3", kind, std::move(frames), ms};
}

const Frames kSend{"do_syscall_64", "__sys_sendmsg", "netlink_sendmsg", "netlink_rcv_skb"};

/// `kSend` with more on top.
Frames sent(const Frames& more) {
  Frames out = kSend;
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

const Attribution::Row& row_of(const Attribution& attribution, std::string_view id) {
  for (const auto& row : attribution.rows) {
    if (row.operation.id == id) return row;
  }
  throw std::runtime_error("no such operation");
}

Trace some_trace() {
  Trace trace;
  trace.program = "particle 0";
  trace.command = {"ip", "link"};
  trace.exit_code = 3;
  trace.seen.wall_ms = 10;
  trace.seen.hertz = 3999;
  trace.seen.entries = {
      entry(Kind::blocked, sent({"do_setlink", "__dev_change_net_namespace", "rcu_barrier"}), 6),
      entry(Kind::running, {}, 2)};
  trace.seen.locks = {{"rtnl_newlink", 2, 1.5, 1}};
  trace.seen.steps = {{"S3", 1, 8}};
  trace.seen.missing = {"something"};
  trace.seen.functions = {{"copy_net_ns", "creating a network namespace", 2, 0.8}};
  trace.seen.functions_by = "fentry";
  return trace;
}

}  // namespace

TEST_CASE("trace: the functions on a stack tell the operation, the special one first") {
  const auto running = [](Frames frames) {
    return operation_of(entry(Kind::running, std::move(frames)));
  };
  // A move is a kind of setlink, and unregisters and lists the device: it is a move all the same.
  CHECK(running(sent({"rtnl_newlink", "do_setlink", "__dev_change_net_namespace", "dev_close",
                      "unregister_netdevice_many"})) == "moves");
  CHECK(running(sent({"rtnl_setlink", "do_setlink", "dev_change_net_namespace"})) == "moves");
  CHECK(running({"do_syscall_64", "ksys_unshare", "create_new_namespaces", "copy_net_ns",
                 "setup_net", "ops_init", "register_netdevice"}) == "namespace");
  CHECK(running(sent({"rtnl_newlink", "rtnl_newlink_create", "veth_newlink"})) == "device");
  CHECK(running(sent({"rtnl_newlink", "do_setlink", "do_set_master", "br_add_if"})) ==
        "device-setup");
  CHECK(running(sent({"inet_rtm_newaddr", "__inet_insert_ifa"})) == "addresses");
  CHECK(running(sent({"unregister_netdevice_many_notify"})) == "device-removal");
  CHECK(running(sent({"rtnetlink_rcv_msg", "rtnl_getlink"})) == "netlink");
  CHECK(running({"do_syscall_64", "__x64_sys_execve", "do_execveat_common"}) == "processes");
  CHECK(running({"asm_exc_page_fault", "exc_page_fault"}) == "memory");
  CHECK(running({}) == "user");
  CHECK(running({"do_syscall_64"}) == "other");
  CHECK(running({"asm_sysvec_apic_timer_interrupt", "irqentry_exit_to_user_mode", "schedule"}) ==
        "user");
}

TEST_CASE("trace: what a thread waits for of its own accord is idle, and only while it waits") {
  CHECK(operation_of(entry(Kind::blocked, {"kernel_wait4", "do_wait", "schedule"})) == "idle");
  CHECK(operation_of(entry(Kind::running, {"kernel_wait4", "do_wait"})) != "idle");
  // The parent of a vfork waits for the child, whose time counts.
  CHECK(operation_of(entry(Kind::blocked,
                           {"kernel_clone", "wait_for_completion_state", "schedule"})) == "idle");
  CHECK(operation_of(entry(Kind::running, {"kernel_clone", "copy_process"})) == "processes");
}

TEST_CASE("trace: time passes running, for RCU, for rtnl, for the rest, for a processor") {
  const Frames move{"do_setlink", "__dev_change_net_namespace"};
  auto with = [&](Frames more) {
    Frames all = sent(move);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const auto attribution = attribute(
      {entry(Kind::running, with({}), 1),
       entry(Kind::blocked, with({"rcu_barrier", "schedule"}), 2),
       entry(Kind::blocked, with({"synchronize_rcu_expedited", "exp_funnel_lock", "__mutex_lock"}),
             4),
       entry(Kind::blocked, with({"schedule"}), 8), entry(Kind::runnable, with({"__schedule"}), 16),
       // rtnl_lock() jumps to the mutex and is not on the stack.
       entry(Kind::blocked, sent({"rtnl_newlink", "__mutex_lock", "schedule"}), 32),
       entry(Kind::blocked, {"kernel_wait4", "do_wait"}, 64)});
  const auto& moves = row_of(attribution, "moves").share;
  CHECK(moves.running_ms == 1);
  CHECK(moves.rcu_ms == 6);
  CHECK(moves.blocked_ms == 8);
  CHECK(moves.runnable_ms == 16);
  CHECK(moves.rtnl_ms == 0);
  CHECK(row_of(attribution, "device-setup").share.rtnl_ms == 32);
  CHECK(attribution.idle_ms == 64);
  CHECK(attribution.total() == 63);
}

TEST_CASE("trace: a step's time is attributed by itself") {
  auto other = entry(Kind::running, {}, 5);
  other.step = "S1";
  const std::vector<Entry> entries{entry(Kind::running, {}, 3), other};
  CHECK(attribute(entries, "S3").total() == 3);
  CHECK(attribute(entries, "S1").total() == 5);
  CHECK(attribute(entries, "S6").total() == 0);
}

TEST_CASE("trace: an address is the function that begins at or below it") {
  std::istringstream lines(
      "0000000000001000 T first\n"
      "0000000000002000 t second.isra.0\n"
      "0000000000003000 D data_is_no_function\n"
      "0000000000004000 t in_module\t[veth]\n"
      "garbage\n");
  const auto symbols = Symbols::parse(lines);
  CHECK(symbols.name_of(0x0fff) == "?");
  CHECK(symbols.name_of(0x1000) == "first");
  CHECK(symbols.name_of(0x1fff) == "first");
  CHECK(symbols.name_of(0x2abc) == "second");
  CHECK(symbols.name_of(0x4001) == "in_module");
  std::istringstream hidden("0000000000000000 T first\n0000000000000000 T second\n");
  CHECK(Symbols::parse(hidden).empty());
}

TEST_CASE("trace: what was written is read again, another version or file is refused in words") {
  const auto trace = some_trace();
  const auto again = parse_trace(to_json(trace).dump(), "trace.json");
  REQUIRE(again.has_value());
  CHECK(to_json(*again) == to_json(trace));
  Json changed = to_json(trace);
  changed["version"] = 7;
  CHECK(parse_trace(changed.dump(), "x").error().message().find("version 7") != std::string::npos);
  CHECK_FALSE(parse_trace("{}", "x").has_value());
  CHECK_FALSE(parse_trace("", "x").has_value());
  changed["version"] = kTraceVersion;
  changed.erase("stacks");
  CHECK(parse_trace(changed.dump(), "x").error().message().find("stacks") != std::string::npos);
}

TEST_CASE("trace: a flame graph shows callers below, and names as text") {
  auto entries = some_trace().seen.entries;
  entries.push_back(entry(Kind::running, {"a<b>&\"c\""}, 50));
  const auto graph = flame_graph(entries, "title <x>", true);
  CHECK(graph.starts_with("<svg xmlns="));
  CHECK(graph.find("<b>") == std::string::npos);
  CHECK(graph.find("a&lt;b&gt;&amp;&quot;c&quot;: 50.00 ms") != std::string::npos);
  CHECK(graph.find("rcu_barrier: 6.00 ms") != std::string::npos);
  CHECK(graph.find("[user space]: 2.00 ms") != std::string::npos);
  CHECK(graph.find("op-moves") != std::string::npos);
  // Only what is idle: nothing to draw.
  CHECK(flame_graph({entry(Kind::blocked, {"do_wait"})}, "t", true).empty());
}
