// SPDX-License-Identifier: Apache-2.0
#include "coordinator/instances.hpp"

#include <cstring>

namespace particle::sprocket {

std::vector<std::string> take_lines(std::string& pending, std::string_view bytes) {
  std::vector<std::string> lines;
  pending.append(bytes);
  std::size_t begin = 0;
  for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n', begin)) {
    lines.push_back(pending.substr(begin, end - begin));
    begin = end + 1;
  }
  pending.erase(0, begin);
  return lines;
}

std::string describe_end(const fleet::Event& event) {
  std::string out;
  switch (event.ended.value_or(fleet::Ended::failed)) {
    case fleet::Ended::ok:
      out = "it ended without an answer";
      break;
    case fleet::Ended::failed:
      out = "exit status " + std::to_string(event.status);
      break;
    case fleet::Ended::signalled:
      out = "killed by signal " + std::to_string(event.status);
      if (const char* name = ::sigdescr_np(event.status)) out += std::string(" (") + name + ")";
      break;
    case fleet::Ended::timed_out:
      out = "timed out";
      break;
    case fleet::Ended::out_of_memory:
      out = "out of memory";
      break;
    case fleet::Ended::killed:
      out = "killed";
      break;
    case fleet::Ended::lost:
      out = "its node is lost";
      break;
    case fleet::Ended::refused:
      out = "not started";
      break;
  }
  return event.detail.empty() ? out : out + ": " + event.detail;
}

}  // namespace particle::sprocket
