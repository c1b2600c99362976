// SPDX-License-Identifier: Apache-2.0
#include "report/sections.hpp"
#include "report/text.hpp"

namespace particle::bench {
namespace {

std::string word(const Json& object, const char* key) {
  const Json value = object.value(key, Json());
  if (value.is_string()) return escaped(value.get<std::string>());
  return value.is_null() ? "unknown" : escaped(value.dump());
}

std::string design_list(const Record& record) {
  std::string out = "<dl>\n";
  for (const auto& design : record.designs) {
    out += "<dt>" + name_cell(design.name) + "</dt><dd>" + escaped(design.what);
    if (!design.paper.empty()) out += " <em>In the paper: " + escaped(design.paper) + ".</em>";
    out += " <small>Up to " + grouped(design.most) +
           (design.kind == Kind::containers ? " containers: " : " endpoints: ") +
           escaped(design.limit) + ".</small></dd>\n";
  }
  return out + "</dl>\n";
}

std::string differences() {
  return "<h3>How this differs from the paper</h3>\n<ul>\n"
         "<li>The paper used AWS c5.4xlarge machines (16 processors), Ubuntu 18.04, Linux 5.0 and "
         "iproute2 5.2. The kernel decides most of these figures; compare ratios, not "
         "seconds.</li>\n"
         "<li>The paper's Particle starts a Docker container for the root namespace (300 ms of its "
         "534 ms). Here a pool is a namespace, and containers join it later.</li>\n"
         "<li>The tenant's VTEP is there before anything is measured, in every design. Nothing "
         "talks "
         "to a control plane.</li>\n"
         "<li>shared-namespace and batched run in process over netlink, where the paper's were "
         "made "
         "of commands; compare them with netlink-moved.</li>\n"
         "<li>Particle's pools include their records on disk (tmpfs) and the checks of their "
         "input; "
         "the other designs keep nothing.</li>\n"
         "<li>Table 3.1 (more nodes) is on this page only where a benchmark of several nodes was "
         "given to the report: a run of <code>particle bench</code> has one node.</li>\n"
         "<li>A bridge takes 1,023 ports: above 1,022 endpoints, the designs with a veth pair each "
         "get a second bridge and VNI.</li>\n</ul>\n";
}

std::string how() {
  return "<h3>How it was measured</h3>\n<ul>\n"
         "<li>In namespaces of its own. Before each measurement the kernel had taken apart what "
         "the "
         "one before left.</li>\n"
         "<li>The designs take turns: one round does every design at every size once, in an order "
         "that moves on from round to round. A first, small round only warms up.</li>\n"
         "<li>Each making is checked outside the measured time: every device is where it belongs, "
         "and the first, the middle and the last endpoint can be bound.</li>\n"
         "<li>Endpoints are given up all at once. For ip-commands that is quicker than the ip "
         "commands that would remove them.</li>\n"
         "<li>Times are medians; what stands below or beside them is the middle half of the "
         "repeats.</li>\n</ul>\n";
}

std::string skipped_list(const Record& record) {
  if (record.skipped.empty()) return {};
  std::string out = "<h3>What was not measured</h3>\n<ul>\n";
  for (const auto& each : record.skipped) {
    out += "<li>" + escaped(each.design) +
           (each.endpoints == 0 ? "" : ", " + size_name(each.endpoints)) + ": " +
           escaped(each.why) + "</li>\n";
  }
  return out + "</ul>\n";
}

std::string machine_table(const Record& record) {
  std::vector<std::vector<std::string>> rows;
  for (const char* key :
       {"processor", "cpus", "memory", "kernel", "architecture", "system", "build", "date",
        "load_1m", "busy_before", "stolen_before", "busy_after"}) {
    rows.push_back({key, word(record.machine, key)});
  }
  for (const char* key : {"repeats", "quick", "budget_s"}) {
    rows.push_back({key, word(record.settings, key)});
  }
  rows.push_back({"program", escaped(record.program)});
  return table_of("The machine and the run", {"", ""}, rows);
}

}  // namespace

std::string section_method(const Record& record) {
  return heading("method", "What was measured, and how",
                 "Every figure on this page comes from one recorded run on one machine.") +
         design_list(record) + how() + differences() + skipped_list(record) + machine_table(record);
}

}  // namespace particle::bench
