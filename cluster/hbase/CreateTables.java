import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.NamespaceDescriptor;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptor;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.TableDescriptor;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.io.encoding.DataBlockEncoding;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * CreateTables NAMESPACE FAMILY TABLE=REGIONS...: makes what is missing and leaves alone what is there.
 *
 * A table of n regions is split by the first byte of its keys, the salt: 0x01, 0x02, ... (Thrift1 cannot split.) One version
 * of a cell is kept: the store tells a row's newest cells by their timestamps.
 */
public class CreateTables {
    private static final long TIMEOUT_SECONDS = 540;

    public static void main(String[] args) throws Exception {
        String namespace = args[0];
        byte[] family = Bytes.toBytes(args[1]);
        try (Connection connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
                Admin admin = connection.getAdmin()) {
            if (!Arrays.asList(admin.listNamespaces()).contains(namespace)) {
                admin.createNamespace(NamespaceDescriptor.create(namespace).build());
            }
            // Side by side: the master is idle for most of the making of one table.
            List<Future<Void>> made = new ArrayList<>();
            for (String wanted : Arrays.asList(args).subList(2, args.length)) {
                String[] nameAndRegions = wanted.split("=");
                TableName name = TableName.valueOf(namespace, nameAndRegions[0]);
                if (!admin.tableExists(name)) {
                    made.add(create(admin, name, family, Integer.parseInt(nameAndRegions[1])));
                }
            }
            for (Future<Void> table : made) {
                table.get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
            }
        }
    }

    private static Future<Void> create(Admin admin, TableName name, byte[] family, int regions) throws Exception {
        byte[][] splits = new byte[regions - 1][];
        for (int region = 1; region < regions; region++) {
            splits[region - 1] = new byte[] {(byte) region};
        }
        ColumnFamilyDescriptor columns =
                ColumnFamilyDescriptorBuilder.newBuilder(family)
                        .setMaxVersions(1)
                        .setDataBlockEncoding(DataBlockEncoding.FAST_DIFF)
                        .build();
        TableDescriptor table = TableDescriptorBuilder.newBuilder(name).setColumnFamily(columns).build();
        return admin.createTableAsync(table, splits.length == 0 ? null : splits);
    }
}
