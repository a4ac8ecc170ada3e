import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FsShell;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/** An HDFS on loopback, in a folder: tells its port, then does what each line says, and answers with a code. */
public class MiniHdfs {
  public static void main(String[] arguments) throws Exception {
    PrintStream answers = System.out;
    System.setOut(System.err); // for what the shell has to tell
    File folder = new File(arguments[0]);
    var cluster = new MiniDFSCluster.Builder(new Configuration(), folder).numDataNodes(1).build();
    cluster.waitActive();
    answers.println(cluster.getNameNodePort());
    MiniDFSCluster.DataNodeProperties stopped = null;
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      int code = 0;
      if (line.equals("stop")) {
        stopped = cluster.stopDataNode(0);
      } else if (line.equals("start")) {
        cluster.restartDataNode(stopped, true);
        cluster.waitActive();
      } else {
        code = new FsShell(cluster.getConfiguration(0)).run(line.split("\t"));
      }
      answers.println(code);
    }
    cluster.shutdown();
  }
}
