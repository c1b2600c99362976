// SPDX-License-Identifier: Apache-2.0
// Java's own HTTP server on any address, or with a URL a client of one. Java opens ::, dual-stack, and
// writes IPv4 addresses in IPv6 form where it can.
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URL;
import java.nio.charset.StandardCharsets;

public class Server {
  public static void main(String[] arguments) throws Exception {
    if (arguments.length == 1) {
      var answer = new URL(arguments[0]).openConnection(Proxy.NO_PROXY).getInputStream();
      System.out.println(new String(answer.readAllBytes(), StandardCharsets.UTF_8));
      return;
    }
    var server = HttpServer.create(new InetSocketAddress(8080), 0);
    server.createContext("/", exchange -> {
      var peer = exchange.getRemoteAddress().getAddress().getHostAddress();
      var text = "I am " + System.getenv("PARTICLE_IP") + ", you are " + peer;
      exchange.sendResponseHeaders(200, text.length());
      exchange.getResponseBody().write(text.getBytes(StandardCharsets.UTF_8));
      exchange.close();
    });
    server.start();
    System.out.println("serving");
  }
}
